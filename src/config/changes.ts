import type { OptionValue, Reload } from "./option.ts";
import { type Config, rows, rowsOf, sameValue, sectionNames, valueAt } from "./table.ts";

/** An option that differs between two configurations. */
export interface OptionChange {
  readonly key: string;
  readonly before: OptionValue;
  readonly after: OptionValue;
  /** Whether a running daemon takes it. */
  readonly reload: Reload;
}

/** What changed from one configuration to the next, without the tables of handlers and workloads, in the order of the table. */
export function changedOptions(before: Config, after: Config): readonly OptionChange[] {
  return rows.flatMap((row) => {
    const [old, fresh] = [valueAt(before, row), valueAt(after, row)];
    if (sameValue(old, fresh)) return [];
    return [{ key: row.path, before: old, after: fresh, reload: row.option.reload ?? "restart" }];
  });
}

/** The running configuration with all that a running daemon can take of another one: options by their row, and the handlers. */
export function withReloaded(running: Config, fresh: Config): Config {
  const sections = sectionNames.map((name) => {
    const live = rowsOf(name).filter(({ option }) => option.reload === "live");
    return [name, { ...running[name], ...Object.fromEntries(live.map((row) => [row.field, valueAt(fresh, row)])) }];
  });
  return { ...running, ...Object.fromEntries(sections), runtimes: fresh.runtimes };
}
