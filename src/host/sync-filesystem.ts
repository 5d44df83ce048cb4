import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { libc } from "./libc.ts";
import { failed } from "./syscalls.ts";

/** Writes everything of the file system that holds `path` to disk (syncfs). May take seconds; runs on the thread pool. */
export async function syncFilesystem(path: string): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  await new Promise<void>((resolve, reject) => {
    libc().syncfs.async(file.fd, (error: unknown, result: number) => {
      // errno is right only here, inside the callback: it is lost after the next await.
      if (error !== null && error !== undefined) reject(error);
      else if (result === -1) reject(failed(libc().errno(), "syncfs", path));
      else resolve();
    });
  });
}
