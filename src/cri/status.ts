import { type ServiceError, status } from "@grpc/grpc-js";
import { codeOf, type FaultCode, isFault, reasonOf } from "../base/index.ts";

/** An error with the gRPC code that the kubelet knows it by. */
export class RpcFault extends Error {
  readonly status: number;

  constructor(code: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "RpcFault";
    this.status = code;
  }
}

/**
 * Most errors reach the client as Unknown with their text, which is what the kubelet has learnt to expect of CRI-O;
 * a call that means another code throws an RpcFault (reference: cri.md 1).
 */
const codes: Readonly<Partial<Record<FaultCode, number>>> = {
  unimplemented: status.UNIMPLEMENTED,
  cancelled: status.CANCELLED,
  deadline: status.DEADLINE_EXCEEDED,
};

/** The answer to a call that failed. */
export function serviceErrorOf(error: unknown): Partial<ServiceError> {
  const code = error instanceof RpcFault ? error.status : (codes[codeOf(error)] ?? status.UNKNOWN);
  return { code, details: headerText(reasonOf(error)) };
}

/** Runs `work`; a `not-found` Fault becomes the code NotFound, with `prefix` before its text. */
export async function orNotFound<T>(prefix: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "not-found", "precondition")) throw error;
    throw new RpcFault(status.NOT_FOUND, `${prefix}${reasonOf(error)}`, { cause: error });
  }
}

/** Status texts travel in a header: bounded, and without what a terminal would act on. */
function headerText(text: string): string {
  const clean = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "�");
  return clean.length > 8192 ? `${clean.slice(0, 8192)}…` : clean;
}
