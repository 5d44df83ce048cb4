import type { Fault } from "../base/index.ts";

/** What a value of each kind is in a `Config`. 64-bit numbers are bigints where the whole range means something. */
export interface ValueByKind {
  readonly text: string;
  readonly bool: boolean;
  readonly int: number;
  readonly int64: bigint;
  readonly uint64: bigint;
  /** Milliseconds; in files and flags a Go duration such as `1m30s` (a bare TOML integer counts nanoseconds). */
  readonly duration: number;
  readonly list: readonly string[];
  readonly map: ReadonlyMap<string, string>;
}

export type Kind = keyof ValueByKind;
export type OptionValue = ValueByKind[Kind];

/**
 * Whether SIGHUP changes the option in a running daemon: `"live"` the value, `"content"` only what the named file or
 * directory holds, `"restart"` nothing.
 */
export type Reload = "live" | "content" | "restart";

/** What an option row says besides kind and default. */
export interface About<V> {
  /** What the option does, its values and their consequences: the comment in `crio config` and the text of `--help`. */
  readonly doc: string;
  /** The flag without its dashes. */
  readonly flag?: string;
  /** A second name of the flag. */
  readonly alias?: string;
  /** Environment variables; the first one that is set counts. */
  readonly env?: readonly string[];
  /** Left out of help, man page and completions. */
  readonly hidden?: boolean;
  /** `"restart"` when absent. */
  readonly reload?: Reload;
  /** What to use instead, as half a sentence: the option still works, and setting it says so. */
  readonly deprecated?: string;
  /** How it is in place of what the option says, as half a sentence: it has no effect yet, and setting it says so. */
  readonly notYet?: string;
  /**
   * How a file's value meets the one before it: `"append"` joins the lists, the last of equal entries stays;
   * `"keep-when-empty"` takes an empty text for "not given". Without it the later value replaces the earlier.
   */
  readonly merge?: "append" | "keep-when-empty";
  /** Names a file or directory of this host, or several: the daemon does not start with one that is not absolute. */
  readonly isPath?: boolean;
  /** What is wrong with a value, or undefined. Looks at nothing but the value. */
  check?(value: V): string | undefined;
  /** `"start"`: a failing `check` stops the daemon but not `crio config`. `"config"` when absent. */
  readonly checkedAt?: "config" | "start";
}

export interface OptionOf<K extends Kind> extends About<ValueByKind[K]> {
  readonly kind: K;
  readonly default: ValueByKind[K];
}

/** One row of the option table. Switching on `kind` tells the type of `default`. */
export type Option = { [K in Kind]: OptionOf<K> }[Kind];

/** The rows of one table of crio.conf, by their keys in the file. */
export type Section = Readonly<Record<string, Option>>;

/** `default_runtime` → `defaultRuntime`. */
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;

/** The property of a Config that holds a key: camel case, with `Ms` behind durations. */
type FieldName<Key extends string, K extends Kind> = K extends "duration" ? `${Camel<Key>}Ms` : Camel<Key>;

/** The values of a section, typed by its rows: `default_runtime: text("crun", …)` becomes `readonly defaultRuntime: string`. */
export type SectionValues<S extends Section> = {
  readonly [Key in keyof S & string as FieldName<Key, S[Key]["kind"]>]: ValueByKind[S[Key]["kind"]];
};

/** The property name of a key at run time; the same rule as `SectionValues`. */
export function fieldOf(key: string, kind: Kind): string {
  const camel = key.replace(/_(.)/g, (_all, letter: string) => letter.toUpperCase());
  return kind === "duration" ? `${camel}Ms` : camel;
}

export const text = row("text");
export const bool = row("bool");
export const int = row("int");
export const int64 = row("int64");
export const uint64 = row("uint64");
export const duration = row("duration");
export const list = row("list");
export const map = row("map");

function row<K extends Kind>(kind: K) {
  return (initial: ValueByKind[K], about: About<ValueByKind[K]>): OptionOf<K> => ({
    ...about,
    kind,
    default: initial,
    doc: about.doc.replace(/\s+/g, " ").trim(),
  });
}

/** Turns a parser that throws into a check that says why. */
export function parses<V>(parse: (value: V) => unknown): (value: V) => string | undefined {
  return (value) => {
    try {
      parse(value);
      return undefined;
    } catch (error) {
      return (error as Fault).message;
    }
  };
}
