/** What one layer may ask of the machine before it is refused with Fault("exhausted"). */
export interface LayerLimits {
  /** Bytes of the uncompressed archive. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Bytes of one PAX header or GNU long name, and of all headers in front of one entry. */
  readonly maxHeaderBytes: number;
  /** Different user ids, and group ids: the layer's record lists them all. */
  readonly maxOwners: number;
  /**
   * Uncompressed bytes for each compressed one, looked at beyond `ratioFromBytes`. Deflate cannot exceed 1032;
   * zstd can, by far, but only on content that is made of nothing.
   */
  readonly maxRatio: number;
  readonly ratioFromBytes: number;
  /** Two to the power of this is the largest zstd window, memory that the decoder takes. */
  readonly zstdWindowLog: number;
}

export const defaultLayerLimits: LayerLimits = {
  maxBytes: 100 * 2 ** 30,
  maxEntries: 10_000_000,
  maxHeaderBytes: 2 ** 20,
  maxOwners: 65_536,
  maxRatio: 4096,
  ratioFromBytes: 2 ** 30,
  zstdWindowLog: 25,
};
