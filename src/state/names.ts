/** Who owns which `k8s_…` name. A name has one owner from before its creation until after its removal. */
export class Names {
  readonly #owners = new Map<string, string>();

  /** Gives `name` to `id`; false when somebody else has it. */
  reserve(name: string, id: string): boolean {
    const owner = this.#owners.get(name);
    if (owner !== undefined && owner !== id) return false;
    this.#owners.set(name, id);
    return true;
  }

  /** Frees `name`, if it is `id`'s. */
  release(name: string, id: string): void {
    if (this.#owners.get(name) === id) this.#owners.delete(name);
  }

  ownerOf(name: string): string | undefined {
    return this.#owners.get(name);
  }
}
