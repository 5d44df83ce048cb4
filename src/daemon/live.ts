import type { Logger } from "../base/index.ts";
import { type Config, changedOptions, type OptionChange, withReloaded } from "../config/index.ts";
import type { ContainerDeps, Handlers } from "../containers/index.ts";
import type { RegistriesConfig } from "../registry/index.ts";
import type { RuntimeHandler } from "../runtime/index.ts";
import { containerOptions, seccompProfiles } from "./container-options.ts";
import { type ResolvedHandlers, resolveHandlers } from "./handlers.ts";
import { readRegistries } from "./images.ts";

/** What a reload replaces, all of it at once. */
export interface LiveParts {
  readonly config: Config;
  readonly handlers: ResolvedHandlers;
  readonly seccompProfiles: ContainerDeps["seccompProfiles"];
  readonly registries: RegistriesConfig;
  readonly options: ContainerDeps["options"];
}

/** What came of a reload. */
export interface ReloadReport {
  /** Options that have their new values now. */
  readonly taken: readonly OptionChange[];
  /** Options that get theirs when the daemon is started again. */
  readonly waiting: readonly OptionChange[];
}

interface Context {
  readonly log: Logger;
  readonly kernelVersion: string;
}

/** The parts of the daemon that follow the configuration while it runs. Whoever uses one asks for it anew each time. */
export class Live {
  #parts: LiveParts;
  #last: Promise<unknown> = Promise.resolve();
  readonly #context: Context;
  /** Handlers that are not offered any more, for the pods that were started with them. */
  readonly #retired = new Map<string, RuntimeHandler>();
  readonly handlers: Handlers;

  private constructor(parts: LiveParts, context: Context) {
    this.#parts = parts;
    this.#context = context;
    const offered = () => this.#parts.handlers;
    this.handlers = {
      get defaultName() {
        return offered().defaultName;
      },
      list: () => offered().list(),
      offered: (name) => offered().get(name),
      get: (name) => offered().find(name) ?? this.#retired.get(name) ?? offered().get(name),
    };
  }

  /** Rejects with what cannot be had of the configuration. */
  static async start(config: Config, context: Context): Promise<Live> {
    return new Live(await resolveParts(config, context), context);
  }

  get current(): LiveParts {
    return this.#parts;
  }

  /**
   * Takes what a running daemon can take from another configuration. Everything that may fail comes first: when it rejects, nothing has
   * changed.
   */
  async reload(fresh: Config): Promise<ReloadReport> {
    return await this.#inTurn(() => this.#reload(fresh));
  }

  /** Reads the registries' files again, and nothing else. When it rejects, nothing has changed. */
  async reloadRegistries(): Promise<void> {
    await this.#inTurn(async () => {
      this.#parts = { ...this.#parts, registries: await readRegistries(this.#parts.config) };
    });
  }

  /** One after the other, so that none undoes what another has read meanwhile. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return await result;
  }

  async #reload(fresh: Config): Promise<ReloadReport> {
    const before = this.#parts;
    const config = withReloaded(before.config, fresh);
    const parts = await resolveParts(config, this.#context);
    for (const handler of before.handlers.list()) this.#retired.set(handler.name, handler);
    this.#parts = parts;
    return { taken: changedOptions(before.config, config), waiting: changedOptions(config, fresh) };
  }
}

async function resolveParts(config: Config, context: Context): Promise<LiveParts> {
  return {
    config,
    handlers: await resolveHandlers({ config, ...context }),
    seccompProfiles: await seccompProfiles(config),
    registries: await readRegistries(config),
    options: containerOptions(config),
  };
}
