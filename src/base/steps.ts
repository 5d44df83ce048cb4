import { AsyncLocalStorage } from "node:async_hooks";

/** Whoever has what another waits for. */
export type Holder =
  | { readonly is: "step"; readonly step: Step }
  | { readonly is: "process"; readonly pid: number }
  | { readonly is: "unknown" };

/** What a step waits for, where that is not its own code. Functions are asked only when somebody wants to know. */
export type WaitsFor =
  /** A program that was started. It may have left the work to another process (conmon does): `pid` says which is to be looked at. */
  | { readonly is: "program"; readonly command: string; readonly pid: () => Promise<number | undefined> | number }
  /** The end of a process that was there before, such as a container's first. */
  | { readonly is: "process"; readonly pid: number; readonly what: string }
  | { readonly is: "lock"; readonly what: string; readonly holder: () => Holder }
  /** The work of somebody who came earlier and wanted the same. */
  | { readonly is: "work"; readonly step: Step }
  | { readonly is: "server"; readonly url: string; readonly phase: () => string }
  /** A path of the host, which may lie on a file system whose server is gone. */
  | { readonly is: "path"; readonly path: string }
  /** Something that is looked at again and again until it is so. */
  | { readonly is: "condition"; readonly what: string; readonly why: () => string };

/** What comes when the wait is over without success: `what` is told of the thing that is waited for, as in "is killed". */
export interface Next {
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly what: string;
}

export interface StepOptions {
  readonly waitsFor?: WaitsFor;
  readonly next?: () => Next | undefined;
}

const context = new AsyncLocalStorage<Step>();

/**
 * Something that takes time, from its beginning to its end, within a larger one: the stages of a call, and below them the programs, locks
 * and servers that they wait for. Tracing makes a span of it, and whoever asks why an operation is stuck gets the innermost that is open.
 */
export class Step {
  readonly name: string;
  readonly parent: Step | undefined;
  readonly operation: Operation;
  /** On the clock of `performance.now()`. */
  readonly startedMs = performance.now();
  readonly waitsFor: WaitsFor | undefined;
  readonly #next: (() => Next | undefined) | undefined;
  readonly #open = new Set<Step>();
  #stage: Step | undefined;
  #hasEnded = false;
  #spanId: string | undefined;

  constructor(name: string, parent: Step | undefined, options: StepOptions = {}) {
    this.name = name;
    this.parent = parent;
    this.waitsFor = options.waitsFor;
    this.#next = options.next;
    this.operation = parent === undefined ? (this as unknown as Operation) : parent.operation; // only an Operation has no parent
    if (parent !== undefined) parent.#open.add(this);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get next(): Next | undefined {
    return this.#next?.();
  }

  /** The steps within this one that have not ended. */
  get open(): readonly Step[] {
    return [...this.#open];
  }

  /** Sixteen hex digits, made when somebody first asks. */
  get spanId(): string {
    this.#spanId ??= randomHex(8);
    return this.#spanId;
  }

  /** Begins a step within this one, or within its current stage. */
  begin(name: string, options?: StepOptions): Step {
    return new Step(name, this.#stage ?? this, options);
  }

  /** Ends the current stage, if there is one, and begins the next: what begins from now on is within it. */
  enterStage(name: string): void {
    this.#stage?.end();
    this.#stage = new Step(name, this);
  }

  /** Ends it. Steps within it that are still open stay so: they may be work that goes on. Idempotent. */
  end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stage?.end(error);
    this.#leaveWhenDone();
    this.operation.ended(this, error);
  }

  /** What has ended, but not all that it has begun, stays in sight. */
  #leaveWhenDone(): void {
    if (!this.#hasEnded || this.#open.size > 0) return;
    if (this.parent === undefined) this.operation.settle();
    else this.parent.#left(this);
  }

  #left(step: Step): void {
    this.#open.delete(step);
    this.#leaveWhenDone();
  }

  /** Whether this, or anything within it, has not ended. */
  get isOpen(): boolean {
    return !this.#hasEnded || [...this.#open].some((step) => step.isOpen);
  }
}

/** Whose trace an operation belongs to (W3C Trace Context). */
export interface TraceParent {
  readonly traceId: string;
  /** Span of the caller; undefined when the trace begins here. */
  readonly spanId: string | undefined;
  readonly isSampled: boolean;
}

export interface OperationOptions {
  /** The request's id, as log lines have it. */
  readonly id: string;
  /** Full ids, names, image names: what somebody may ask for. */
  readonly about?: readonly string[];
  readonly trace?: TraceParent;
  /** When the caller gives up, in milliseconds since the epoch. */
  readonly deadlineMs?: number;
}

/** The outermost step: a call of the kubelet's, or work of the daemon's own. It runs until all that it has begun has ended. */
export class Operation extends Step {
  readonly id: string;
  readonly trace: TraceParent | undefined;
  readonly deadlineMs: number | undefined;
  readonly #about: Set<string>;
  readonly #operations: Operations;

  constructor(name: string, options: OperationOptions, operations: Operations) {
    super(name, undefined);
    this.id = options.id;
    this.trace = options.trace;
    this.deadlineMs = options.deadlineMs;
    this.#about = new Set(options.about);
    this.#operations = operations;
  }

  /** What it is about: ids and names. */
  get about(): ReadonlySet<string> {
    return this.#about;
  }

  isAbout(...names: readonly string[]): void {
    for (const name of names) this.#about.add(name);
  }

  /** For steps alone. */
  ended(step: Step, error: unknown): void {
    if (this.trace?.isSampled === true) this.#operations.onEnd?.(step, error);
    if (step === this) this.settle();
  }

  /** For steps alone: takes it from the list when there is nothing left of it. */
  settle(): void {
    if (!this.isOpen) this.#operations.remove(this);
  }
}

/** The operations in flight. */
export class Operations {
  readonly #running = new Set<Operation>();
  /** Called with every step of a sampled trace when it ends. */
  onEnd: ((step: Step, error: unknown) => void) | undefined;

  begin(name: string, options: OperationOptions): Operation {
    const operation = new Operation(name, options, this);
    this.#running.add(operation);
    return operation;
  }

  /** Runs `work` as an operation of its own. */
  async run<T>(name: string, options: OperationOptions, work: () => Promise<T>): Promise<T> {
    return await within(this.begin(name, options), work);
  }

  /** The oldest first. */
  running(): readonly Operation[] {
    return [...this.#running];
  }

  get count(): number {
    return this.#running.size;
  }

  /** For operations alone. */
  remove(operation: Operation): void {
    this.#running.delete(operation);
  }
}

/** The step that the running code is part of; undefined outside of any operation, and in what an operation left behind when it ended. */
export function currentStep(): Step | undefined {
  const step = context.getStore();
  return step === undefined || (step.hasEnded && !step.operation.isOpen) ? undefined : step;
}

/** Runs `work` within `step`, and ends the step with it. */
export async function within<T>(step: Step, work: () => Promise<T>): Promise<T> {
  try {
    const result = await context.run(step, work);
    step.end();
    return result;
  } catch (error) {
    step.end(error);
    throw error;
  }
}

/** Runs code of `step`, which ends by itself later. */
export function asPartOf<T>(step: Step, work: () => T): T {
  return context.run(step, work);
}

/** Runs `work` as a step of the current one; outside of any operation, just runs it. */
export async function inStep<T>(name: string, work: () => Promise<T>, options?: StepOptions): Promise<T> {
  const parent = currentStep();
  return parent === undefined ? await work() : await within(parent.begin(name, options), work);
}

/** Begins a step of the current one, which the caller ends; undefined outside of any operation. */
export function beginStep(name: string, options?: StepOptions): Step | undefined {
  return currentStep()?.begin(name, options);
}

/** As many random bytes as hex digits. */
export function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}
