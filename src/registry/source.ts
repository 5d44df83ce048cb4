import { type ImageReference, referenceText } from "../oci/index.ts";
import type { RegistrySession } from "./session.ts";

/**
 * Where an image was found and where else it may be: what `blob` downloads from. It carries the pull's authorization and
 * shows nothing of it.
 */
export class RegistrySource {
  /** The image's name at the endpoint that answered. */
  readonly reference: ImageReference;
  readonly #sessions: readonly [RegistrySession, ...RegistrySession[]];

  constructor(sessions: readonly [RegistrySession, ...RegistrySession[]]) {
    this.#sessions = sessions;
    this.reference = sessions[0].endpoint.reference;
  }

  /** The endpoint that answered first, then the others to fall back to. */
  static sessionsOf(source: RegistrySource): readonly [RegistrySession, ...RegistrySession[]] {
    return source.#sessions;
  }

  toJSON(): string {
    return referenceText(this.reference);
  }
}
