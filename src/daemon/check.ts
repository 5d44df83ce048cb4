import { Fault, isFault, type Logger, reasonOf } from "../base/index.ts";
import type { Config } from "../config/index.ts";
import { type CheckOptions, isSound, openStore, type Store, type StoreReport, wipeStore } from "../storage/index.ts";
import { storeOptions } from "./node-store.ts";
import { removeDamaged } from "./repair-store.ts";
import { refuseWhileServed } from "./wipe.ts";
import { withPods } from "./with-pods.ts";

export interface CheckCommand {
  readonly config: Config;
  /** Leave out comparing the contents of layers; their digests are verified all the same. */
  readonly quick: boolean;
  /** Age below which an unused layer is no damage. */
  readonly ageMs: number;
  readonly repair: boolean;
  /** Remove damaged containers too, and wipe also while containers are mounted. */
  readonly force: boolean;
  /** Remove everything when it cannot be repaired. */
  readonly wipe: boolean;
  readonly log: Logger;
}

/**
 * `crio check`: looks for damage in the storage directory, whoever made what is in it, and repairs it where asked to. Rejects when damage
 * is left, having repaired what could be.
 */
export async function check(command: CheckCommand): Promise<void> {
  const { config, repair, log } = command;
  if (repair) await refuseWhileServed(config.api.listen);
  const options: CheckOptions = { depth: command.quick ? "digests" : "contents", unusedForMs: command.ageMs };
  let report: StoreReport;
  try {
    report = await withStore(command, (store) => store.check(options));
  } catch (error) {
    if (!repair || !isFault(error, "corrupt")) throw error;
    return await wipeOrThrow(command, error);
  }
  log.debug(`Storage directory ${config.crio.root} has errors: ${!isSound(report)}`);
  tell(report, log);
  if (isSound(report)) return;
  if (!repair) throw new Fault("corrupt", countsText(report));
  const trouble = await repairAll(command, report, options);
  if (trouble !== undefined) await wipeOrThrow(command, trouble);
}

/** Resolves with what could not be repaired. Rejects when only that is left which was to be left. */
async function repairAll(command: CheckCommand, report: StoreReport, options: CheckOptions): Promise<unknown> {
  const { config, force, log } = command;
  const damaged = [...report.containers.keys()];
  if (force && damaged.length > 0) await withPods(config, log, (pods) => removeDamaged(pods, damaged, { live: true }));
  return await withStore(command, async (store) => {
    const { left } = await store.repair(report, { ...options, removesContainer: () => force });
    for (const { kind, id, why } of left) log.error(`a damaged ${kind} stays`, { id, why });
    const [first] = left.filter(({ kind }) => force || kind !== "container");
    if (first !== undefined) return new Fault("corrupt", `${first.kind} ${first.id}: ${first.why}`);
    if (left.length === 0) return undefined;
    throw new Fault("corrupt", `${countsText(await store.check(options))}; --force removes damaged containers too`);
  });
}

async function withStore<T>({ config, log }: CheckCommand, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(storeOptions(config, log));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function wipeOrThrow({ config, wipe, force, log }: CheckCommand, trouble: unknown): Promise<void> {
  if (!wipe) throw trouble;
  log.error("the storage directory cannot be repaired, and is wiped", { why: reasonOf(trouble) });
  await wipeStore({ graphRoot: config.crio.root, runRoot: config.crio.runroot, force, log });
}

function tell({ layers, images, containers, strays }: StoreReport, log: Logger): void {
  const each = (what: string, found: ReadonlyMap<string, readonly string[]>) => {
    for (const [id, problems] of found) for (const why of problems) log.warn(`${what} is damaged`, { id, why });
  };
  each("layer", layers);
  each("image", images);
  each("container", containers);
  for (const id of strays) log.warn("layer without a record", { id });
}

/** The five counts of CRI-O; stores that are only read are not supported yet, and have none. */
function countsText({ layers, images, containers, strays }: StoreReport): string {
  return [
    `${layers.size + strays.length} layer errors`,
    "0 read-only layer errors",
    `${images.size} image errors`,
    "0 read-only image errors",
    `${containers.size} container errors`,
  ].join(", ");
}
