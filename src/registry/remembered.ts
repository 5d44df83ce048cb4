/** Asks once and remembers the answer; after a failure the next call asks again. */
export function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return async () => {
    try {
      answer ??= ask();
      return await answer;
    } catch (error) {
      answer = undefined;
      throw error;
    }
  };
}
