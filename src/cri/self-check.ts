import { Client, credentials } from "@grpc/grpc-js";
import { RuntimeServiceDefinition, StatusRequest, StatusResponse } from "./generated/api.ts";

/** The conditions that the daemon behind a CRI socket answers to Status; rejects when it does not answer. */
export async function statusOverSocket(
  path: string,
  signal: AbortSignal,
): Promise<readonly { readonly type: string; readonly status: boolean; readonly message: string }[]> {
  const client = new Client(`unix:${path}`, credentials.createInsecure());
  const { promise, resolve, reject } = Promise.withResolvers<StatusResponse>();
  const call = client.makeUnaryRequest(
    `/${RuntimeServiceDefinition.fullName}/Status`,
    (message: StatusRequest) => Buffer.from(StatusRequest.encode(message).finish()),
    (bytes) => StatusResponse.decode(bytes),
    { verbose: false },
    (error, answer) => {
      if (error === null && answer !== undefined) resolve(answer);
      else reject(error ?? new Error("no answer"));
    },
  );
  const onAbort = () => call.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return (await promise).status?.conditions ?? [];
  } finally {
    signal.removeEventListener("abort", onAbort);
    client.close();
  }
}
