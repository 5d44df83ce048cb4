import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { errnoOf, Fault } from "../base/index.ts";

/** Removes a socket that nobody answers on. Rejects with Fault("exists") when somebody does. */
export async function clearStaleSocket(path: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => {
      if (["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(errnoOf(error) ?? "")) resolve(false);
      else reject(error);
    });
  });
  if (answered) {
    throw new Fault(
      "exists",
      `already existing connection on ${path}: another daemon serves this socket; stop it first`,
    );
  }
  await rm(path, { force: true });
}
