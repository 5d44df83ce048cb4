import { type ServiceError, status } from "@grpc/grpc-js";
import { codeOf, Fault, type FaultCode, isFault, reasonOf } from "../base/index.ts";

/** An error with the gRPC code that the kubelet knows it by. */
export class RpcFault extends Error {
  readonly status: number;

  constructor(code: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "RpcFault";
    this.status = code;
  }
}

/** Codes of a call that ended because its client did not wait. */
const earlyCodes: Readonly<Partial<Record<FaultCode, number>>> = {
  cancelled: status.CANCELLED,
  deadline: status.DEADLINE_EXCEEDED,
};

/**
 * The answer to a call that failed. Most errors reach the client as Unknown with their text, which is what the kubelet has learnt to
 * expect of CRI-O; a call that means another code throws an RpcFault (reference: cri.md 1). `ended` is the call's signal: a deadline
 * of our own is no deadline of the client's.
 */
export function serviceErrorOf(error: unknown, ended: AbortSignal): Partial<ServiceError> {
  const early = ended.aborted ? earlyCodes[codeOf(ended.reason)] : undefined;
  const code = error instanceof RpcFault ? error.status : (early ?? status.UNKNOWN);
  return { code, details: headerText(reasonOf(error)) };
}

/** What setting up a stream answers: its checks and its limit have codes of their own (reference: cri.md 5). */
export function streamingFault(error: unknown, say: (words: string) => string): Error {
  if (isFault(error, "invalid")) return new RpcFault(status.INVALID_ARGUMENT, reasonOf(error), { cause: error });
  if (isFault(error, "exhausted")) return new RpcFault(status.RESOURCE_EXHAUSTED, reasonOf(error), { cause: error });
  return new Fault(codeOf(error), say(reasonOf(error)), { cause: error });
}

/** Status texts travel in a header: bounded, and without what a terminal would act on. */
function headerText(text: string): string {
  const clean = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "�");
  return clean.length > 8192 ? `${clean.slice(0, 8192)}…` : clean;
}
