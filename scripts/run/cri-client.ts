import { Client, credentials } from "@grpc/grpc-js";
import { ImageServiceDefinition, RuntimeServiceDefinition } from "../../src/cri/generated/api.ts";

/** A message type of the generated code. */
interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  // biome-ignore lint/suspicious/noExplicitAny: the generated signature is generic over partial messages
  fromPartial(partial: any): T;
}

interface Method<Request, Response> {
  readonly name: string;
  readonly requestType: MessageType<Request>;
  readonly responseType: MessageType<Response>;
}

export { ImageServiceDefinition, RuntimeServiceDefinition };

/** As much of a CRI client as it takes to run a pod. */
export class CriClient {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure());
  }

  /** One call; missing fields have their zero value. Rejects with the daemon's words. */
  call<Request, Response>(
    service: { readonly fullName: string },
    method: Method<Request, Response>,
    request: object,
    timeoutMs = 120_000,
  ): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.#client.makeUnaryRequest(
      `/${service.fullName}/${method.name}`,
      (message: Request) => Buffer.from(method.requestType.encode(message).finish()),
      (bytes: Buffer) => method.responseType.decode(bytes),
      method.requestType.fromPartial(request),
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(new Error(`${method.name}: ${error?.details ?? "no answer"}`));
      },
    );
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}
