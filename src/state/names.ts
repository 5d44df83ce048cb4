/** Who owns which `k8s_…` name. A name has one owner from before its creation until after its removal. */
export class Names {
  readonly #owners = new Map<string, string>();
  readonly #abandoned = new Set<string>();

  /** Gives `name` to `id`; false when somebody else has it. */
  reserve(name: string, id: string): boolean {
    const owner = this.#owners.get(name);
    if (owner !== undefined && owner !== id) return false;
    this.#owners.set(name, id);
    return true;
  }

  /** Frees `name`, if it is `id`'s. */
  release(name: string, id: string): void {
    if (this.#owners.get(name) !== id) return;
    this.#owners.delete(name);
    this.#abandoned.delete(id);
  }

  /** Frees every name of `id`. */
  releaseAll(id: string): void {
    for (const [name, owner] of this.#owners) if (owner === id) this.release(name, id);
  }

  /** Notes that the creation of `id` failed and could not be undone: its names stay taken until somebody gives back the rest. */
  abandon(id: string): void {
    this.#abandoned.add(id);
  }

  /** The id of a failed creation whose remains hold `name`. */
  remainsUnder(name: string): string | undefined {
    const owner = this.#owners.get(name);
    return owner !== undefined && this.#abandoned.has(owner) ? owner : undefined;
  }

  ownerOf(name: string): string | undefined {
    return this.#owners.get(name);
  }
}
