import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ContainerEvent, Containers, Events, Pods } from "../../state/index.ts";
import { type ContainerEventResponse, ContainerEventType, ContainerState } from "../generated/api.ts";
import { aCall, aContainer, aPod } from "../test-values.ts";
import { getContainerEvents } from "./get-container-events.ts";

const podId = "b".repeat(64);
const containerId = "c".repeat(64);

function fixture(podEvents = true) {
  const dropped: ContainerEvent[] = [];
  const events = new Events((event) => dropped.push(event));
  const [pods, containers] = [new Pods(), new Containers()];
  pods.put(aPod(podId));
  containers.put(aContainer(containerId, podId));
  const leaving = new AbortController();
  const handler = getContainerEvents({ pods: { events, pods, containers, podOptions: { podEvents } } });
  const stream = handler({}, aCall(leaving.signal))[Symbol.asyncIterator]();
  const publish = (type: ContainerEvent["type"], overrides: Partial<ContainerEvent> = {}) =>
    events.publish({ type, containerId, podId, atNs: 7n, ...overrides });
  return { stream, publish, pods, containers, leaving, dropped };
}

async function eventIn(next: Promise<IteratorResult<ContainerEventResponse>>): Promise<ContainerEventResponse> {
  const result = await next;
  assert.ok(!result.done);
  return result.value;
}

describe("container events", () => {
  it("come with how the pod and its containers stand", async () => {
    const { stream, publish } = fixture();
    const next = stream.next();
    publish("started");
    const event = await eventIn(next);
    assert.equal(event.containerEventType, ContainerEventType.CONTAINER_STARTED_EVENT);
    assert.deepEqual([event.containerId, event.createdAt], [containerId, 7n]);
    assert.equal(event.podSandboxStatus?.network?.ip, "10.0.0.7");
    assert.deepEqual(
      event.containersStatuses.map(({ id, state }) => [id, state]),
      [[containerId, ContainerState.CONTAINER_RUNNING]],
    );
    await stream.return?.();
  });

  it("of a pod that is gone are passed over", async () => {
    const { stream, publish } = fixture();
    const next = stream.next();
    publish("deleted", { podId: "e".repeat(64) });
    publish("stopped");
    assert.equal((await eventIn(next)).containerEventType, ContainerEventType.CONTAINER_STOPPED_EVENT);
    await stream.return?.();
  });

  it("end with the call, and are kept for nobody after that", async () => {
    const { stream, publish, leaving, dropped } = fixture();
    const next = stream.next();
    leaving.abort();
    assert.equal((await next).done, true);
    for (let at = 0; at < 2_000; at += 1) publish("stopped");
    assert.deepEqual(dropped, []);
  });

  it("are kept for nobody whose stream ended without the call being cancelled", async () => {
    const { stream, publish, dropped } = fixture();
    const next = stream.next();
    publish("started");
    await next;
    await stream.return?.();
    for (let at = 0; at < 2_000; at += 1) publish("stopped");
    assert.deepEqual(dropped, []);
  });

  it("are none without enable_pod_events: the stream ends at once", async () => {
    const { stream } = fixture(false);
    assert.equal((await stream.next()).done, true);
  });
});
