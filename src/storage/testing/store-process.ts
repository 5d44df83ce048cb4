/** For tests: another process that uses a store. `store-process.ts <directory> <what> [<name> <image id>]` */
import { newId } from "../../base/index.ts";
import { headerBlock } from "../unpack/tar-writer.test-support.ts";
import { openTestStore, signal } from "./test-store.ts";

const [directory = "", what, name = "", imageId = ""] = process.argv.slice(2);
const store = await openTestStore(directory);
if (what === "share") {
  const kept: string[] = [];
  for (let n = 0; n < 8; n++) {
    const id = newId();
    await store.createContainer({ id, names: [`${name}-${n}`], imageId, metadata: "" });
    await store.mountContainer(id);
    if (n % 2 === 0) await store.deleteContainer(id);
    else kept.push(id);
    const image = await store.image(imageId);
    if (n === 3)
      await store.createImage({
        id: imageId,
        names: [`example.com/${name}:3`],
        data: [],
        ...(image?.layer === undefined ? {} : { layer: image.layer }),
      });
  }
  process.stdout.write(JSON.stringify(kept));
  await store.close();
}
if (what === "unpack-and-die") {
  const blob = (async function* () {
    yield headerBlock({ name: "file", size: 2 ** 30 });
    for (let n = 0; n < 50; n++) yield Buffer.alloc(65_536);
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(process.pid, "SIGKILL");
  })();
  await store.stageLayer(blob, { signal });
}
