import { Fault } from "../base/index.ts";
import { reopenLog } from "../runtime/index.ts";
import type { Container } from "../state/index.ts";

/** Opens a running container's log anew, after the kubelet has moved the old file away. */
export async function reopenContainerLog({ record, state }: Container): Promise<void> {
  if (state.is !== "running") throw new Fault("precondition", "container is not running");
  await reopenLog(record.runDir, record.logPath);
}
