/**
 * The file of the worker thread `name` (such as `"namespace-worker"`), for the module whose `import.meta.url` is given:
 * beside it when running from source, in the bundle's own directory when bundled (the build puts every `*-worker.ts`
 * there as an entry of its own).
 */
export function workerFile(importMetaUrl: string, name: string): URL {
  return new URL(`./${name}${importMetaUrl.endsWith(".ts") ? ".ts" : ".js"}`, importMetaUrl);
}
