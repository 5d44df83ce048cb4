import { Fault } from "../base/index.ts";
import { type JsonObject, jsonTextMap, type RuntimeSpec } from "../oci/index.ts";
import type { StringMap } from "./kube.ts";

/** Reads the annotations of a config.json that record what a pod or container is. */
export class AnnotationReader {
  readonly #annotations: StringMap;
  readonly #what: string;

  constructor(spec: RuntimeSpec, what: string) {
    this.#annotations = spec.annotations ?? {};
    this.#what = what;
  }

  /** The annotation's text, or "" when it is absent. */
  text(name: string): string {
    return Object.hasOwn(this.#annotations, name) ? (this.#annotations[name] ?? "") : "";
  }

  /** The annotation's text. Throws code `corrupt` when it is absent or empty. */
  required(name: string): string {
    const text = this.text(name);
    if (text === "") throw new Fault("corrupt", `${this.#what}: config.json has no annotation ${name}`);
    return text;
  }

  isTrue(name: string): boolean {
    return this.text(name) === "true";
  }

  /** What `parse` makes of the annotation's text. Throws code `corrupt` naming the annotation when it cannot. */
  parsed<T>(name: string, parse: (text: string) => T): T {
    try {
      return parse(this.required(name));
    } catch (cause) {
      if (cause instanceof Fault && cause.code === "corrupt") throw cause;
      throw new Fault("corrupt", `${this.#what}: annotation ${name} of config.json cannot be read`, { cause });
    }
  }

  /** A JSON object of strings; empty when the annotation is absent. */
  map(name: string): StringMap {
    if (this.text(name) === "") return {};
    return this.parsed(name, (text) => ({ ...jsonTextMap({ map: JSON.parse(text) } as JsonObject, "map", name) }));
  }
}
