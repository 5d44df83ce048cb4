/** Sends spoilt requests and judges the answers. */
import { status } from "@grpc/grpc-js";
import { type Cri, CriError } from "../../support/daemon/cri.ts";
import { type Case, caseName, isLarge, isUndecodable, spoil } from "./cases.ts";
import { goodRequest, type Ids } from "./good-requests.ts";
import { randomFrom } from "./random.ts";
import type { Place } from "./schema.ts";
import { decode } from "./wire.ts";
import { World } from "./world.ts";

export interface CampaignOptions {
  readonly cri: Cri;
  readonly cases: readonly Case[];
  readonly seed: number;
  /** How many requests are under way together. */
  readonly atOnce: number;
  /** Called now and then with how many requests have been answered; throws when the daemon is not as it should be. */
  readonly onProgress: (sent: number, outcome: Outcome) => Promise<void>;
  /**
   * Called more rarely, and at the end: every pod has been removed. Throws when something is left. `granted` are the requests that were
   * fulfilled since the last time, spoilt as they were, as text: what paths they name nobody knows beforehand.
   */
  readonly onRest: (granted: readonly string[]) => Promise<void>;
  /** Told of every answer in a line. */
  readonly onAnswer?: (line: string) => void;
  /** Of all cases, only those of these numbers: to repeat what went wrong. */
  readonly only?: ReadonlySet<number>;
}

export interface Outcome {
  /** How often each call was answered with each code. */
  readonly codes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** What should not have been answered, one line each. */
  readonly complaints: readonly string[];
}

/** Calls that nobody has written yet. */
const unimplemented = new Set(["CheckpointContainer", "CheckpointPod", "RestorePod"]);

/** Codes of a request that could be decoded: CRI-O's own. */
const plainCodes: ReadonlySet<number> = new Set([
  status.OK,
  status.UNKNOWN,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.RESOURCE_EXHAUSTED,
]);

/** Words of a program that has failed, not of one that refuses. */
const brokenWords =
  /TypeError|RangeError|ReferenceError|SyntaxError|undefined|\[object|is not a function|is not iterable|Cannot (read|convert|mix|set)|Invalid (time|array|count|string)|BigInt|Maximum call|ERR_[A-Z]+|Unexpected (token|end|non)|out of range index|EBADF|EFAULT/;

const batchSize = 240;
/** 64 MiB each, here and in the daemon. */
const largeAtOnce = 2;
/** In batches. */
const restEvery = 20;
const deadlineMs = 90_000;
const keptComplaints = 200;

export async function runCampaign(options: CampaignOptions): Promise<Outcome> {
  const { cri, cases, only, atOnce } = options;
  const codes = new Map<string, Map<string, number>>();
  const complaints: string[] = [];
  const world = new World(cri);
  const outcome: Outcome = { codes, complaints };
  const numbered = cases.map((each, index) => ({ each, index })).filter(({ index }) => only?.has(index) ?? true);
  let granted: string[] = [];
  const rest = async () => {
    await world.clear();
    await options.onRest(granted);
    granted = [];
  };
  const judge = (done: Answered) => {
    if (done.granted !== undefined) granted.push(done.granted);
    const ofRpc = codes.get(done.rpc) ?? new Map<string, number>();
    codes.set(done.rpc, ofRpc);
    const name = status[done.code] ?? String(done.code);
    ofRpc.set(name, (ofRpc.get(name) ?? 0) + 1);
    if (done.complaint !== undefined && complaints.length < keptComplaints) complaints.push(done.complaint);
  };
  for (let at = 0; at < numbered.length; at += batchSize) {
    const batch = numbered.slice(at, at + batchSize);
    const ids = await world.ids();
    const send = async (one: Numbered) => judge(await sendCase(options, ids, one));
    await Promise.all([
      inParallel(
        batch.filter(({ each }) => !isLarge(each)),
        atOnce,
        send,
      ),
      inParallel(
        batch.filter(({ each }) => isLarge(each)),
        largeAtOnce,
        send,
      ),
    ]);
    const sent = at + batch.length;
    if ((sent / batchSize) % restEvery === 0) {
      await rest();
    }
    await options.onProgress(sent, outcome);
  }
  await rest();
  await options.onProgress(numbered.length, outcome);
  return outcome;
}

interface Numbered {
  readonly each: Case;
  readonly index: number;
}

interface Answered {
  readonly rpc: string;
  readonly code: number;
  readonly complaint?: string;
  /** The bytes of a request that was fulfilled. */
  readonly granted?: string;
}

async function sendCase(
  options: CampaignOptions,
  worlds: readonly Ids[],
  { each, index }: Numbered,
): Promise<Answered> {
  const { cri, seed } = options;
  const random = randomFrom(seed ^ Math.imul(index + 1, 0x9e3779b1));
  const good = goodRequest({
    rpc: each.rpc.name,
    ids: random.pick(worlds),
    name: `fuzz-${index}`,
    random,
    // What the daemon does not look at costs nothing to refuse, and would cost a container to grant.
    refused: each.spoilt.every(({ place }) => isPassedOver(each.rpc.name, place)),
  });
  const bytes = spoil(each, good, random);
  const startedMs = performance.now();
  const answer = await answerTo(cri, each, bytes);
  const ms = (performance.now() - startedMs).toFixed(0);
  options.onAnswer?.(`${index} ${caseName(each)}: ${status[answer.code]} ${ms} ms ${answer.details.slice(0, 200)}`);
  const wrong = judged(each, answer);
  if (answer.code === status.OK) {
    const failed = await undo(cri, each.rpc.name, answer.bytes, random.below(4) === 0);
    if (failed !== undefined)
      return { rpc: each.rpc.name, code: answer.code, complaint: `${index} ${caseName(each)}: ${failed}` };
  }
  if (wrong === undefined) {
    const granted = answer.code === status.OK ? { granted: Buffer.from(bytes).toString("latin1") } : {};
    return { rpc: each.rpc.name, code: answer.code, ...granted };
  }
  const said = `${status[answer.code]}: ${JSON.stringify(answer.details.slice(0, 300))}`;
  return { rpc: each.rpc.name, code: answer.code, complaint: `${index} ${caseName(each)}: ${wrong}: ${said}` };
}

/** Fields that CRI has for Windows, and those of the pod that comes along with a container, of which only the log folder counts. */
function isPassedOver(rpc: string, place: Place): boolean {
  const [, field] = place;
  if (field?.name === "windows") return true;
  return (
    rpc === "CreateContainer" &&
    place[0]?.name === "sandbox_config" &&
    field !== undefined &&
    !/^(log|meta)/.test(field.name)
  );
}

interface Answer {
  readonly code: number;
  readonly details: string;
  /** The first message of a successful answer. */
  readonly bytes: Uint8Array;
}

async function answerTo(cri: Cri, { rpc }: Case, request: Uint8Array): Promise<Answer> {
  try {
    if (!rpc.streams) return { code: status.OK, details: "", bytes: await cri.raw(rpc.path, request, { deadlineMs }) };
    let first: Uint8Array | undefined;
    for await (const message of cri.rawStream(rpc.path, request, { deadlineMs })) first ??= message;
    return { code: status.OK, details: "", bytes: first ?? new Uint8Array() };
  } catch (error) {
    if (!(error instanceof CriError)) throw error;
    return { code: error.code, details: error.details, bytes: new Uint8Array() };
  }
}

/** What is wrong with an answer; undefined when nothing is. */
function judged(each: Case, { code, details }: Answer): string | undefined {
  const isNoise = each.spoilt.length === 0;
  if (unimplemented.has(each.rpc.name) && code === status.UNIMPLEMENTED) return undefined;
  if (isUndecodable(each)) {
    if (code !== status.INTERNAL && code !== status.INVALID_ARGUMENT) return "it cannot be decoded, but was";
  } else if (isNoise && code === status.INTERNAL) {
    return undefined; // whether noise can be decoded is the decoder's to say
  } else if (!plainCodes.has(code)) return "no code that CRI-O has for it";
  if (code !== status.INTERNAL && brokenWords.test(details)) return "words of a broken program";
  if (details.length > 9000) return `an error of ${details.length} characters`;
  return undefined;
}

/** Removes what a request has made; some containers are started first. Resolves with what went wrong. */
async function undo(cri: Cri, rpc: string, answer: Uint8Array, started: boolean): Promise<string | undefined> {
  if (rpc !== "RunPodSandbox" && rpc !== "CreateContainer") return undefined;
  const value = decode(answer)[0]?.value;
  if (value === undefined || typeof value === "bigint") return "success without an id";
  const id = Buffer.from(value).toString();
  try {
    if (rpc === "RunPodSandbox") {
      await cri.runtime.podSandboxStatus({ podSandboxId: id, verbose: true });
      await cri.runtime.removePodSandbox({ podSandboxId: id });
    } else {
      await cri.runtime.containerStatus({ containerId: id, verbose: true });
      if (started) {
        await cri.runtime.startContainer({ containerId: id }).catch(expectRefused);
        // Else its removal gives it all of our patience to heed a signal that it does not.
        await cri.runtime.stopContainer({ containerId: id, timeout: 0n });
      }
      await cri.runtime.removeContainer({ containerId: id });
    }
    return undefined;
  } catch (error) {
    // Another request for the same name may have had the same answer, and be done with it already.
    if (error instanceof CriError && error.code === status.NOT_FOUND) return undefined;
    return `what it made cannot be looked at or removed: ${error}`;
  }
}

function expectRefused(error: unknown): void {
  if (error instanceof CriError && plainCodes.has(error.code) && !brokenWords.test(error.details)) return;
  throw error;
}

async function inParallel<T>(things: readonly T[], width: number, work: (thing: T) => Promise<void>): Promise<void> {
  const waiting = [...things];
  const next = async (): Promise<void> => {
    for (let thing = waiting.shift(); thing !== undefined; thing = waiting.shift()) await work(thing);
  };
  await Promise.all(Array.from({ length: width }, next));
}
