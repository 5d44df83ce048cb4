import { Fault, reasonOf } from "../base/index.ts";

/** An image does not meet the signature policy, or a signature is not what it must be. */
export class SignatureRefusal extends Fault {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("denied", message, options);
  }
}

/** Whether a signature policy is behind `error`, looked for along its causes. */
export function isSignatureRefusal(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (current instanceof SignatureRefusal) return true;
    current = current.cause;
  }
  return false;
}

/** The same refusal with more said in front; anything else that kept an image from being checked is one too. */
export function signatureRefused(step: string, error: unknown): SignatureRefusal {
  return new SignatureRefusal(`${step}: ${reasonOf(error)}`, { cause: error });
}
