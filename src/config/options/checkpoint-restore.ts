import { type Section, text } from "../option.ts";

/** `[crio.checkpoint_restore]` */
export const checkpointRestoreOptions = {
  container_level_enabled: text("checkpoint_restore", {
    flag: "checkpoint-restore-container-level-enabled",
    env: ["CONTAINER_CHECKPOINT_RESTORE_CONTAINER_LEVEL_ENABLED"],
    check: (value) =>
      ["none", "checkpoint_only", "checkpoint_restore"].includes(value)
        ? undefined
        : `invalid container_level_enabled ${JSON.stringify(value)}: must be none, checkpoint_only or checkpoint_restore`,
    doc: `What may be done with containers by CRIU: "none", "checkpoint_only" or "checkpoint_restore". Without criu in
      $PATH it is "none".`,
  }),
} satisfies Section;
