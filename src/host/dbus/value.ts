/**
 * A D-Bus value in JavaScript.
 *
 * | D-Bus | JavaScript |
 * |---|---|
 * | y n q i u h d | number |
 * | x t | bigint |
 * | b | boolean |
 * | s o g | string |
 * | ay | Uint8Array |
 * | a, (), {} | array; a dictionary is an array of `[key, value]` pairs, so that no key of a peer names a property |
 * | v | Variant |
 */
export type DbusValue = number | bigint | boolean | string | Uint8Array | Variant | readonly DbusValue[];

/** A value that carries its own type: `variant("as", ["crio.service"])`. */
export interface Variant {
  /** One complete type. */
  readonly signature: string;
  readonly value: DbusValue;
}

export function variant(signature: string, value: DbusValue): Variant {
  return { signature, value };
}

/** Whether `value` is a Variant. */
export function isVariant(value: DbusValue): value is Variant {
  return typeof value === "object" && "signature" in value;
}
