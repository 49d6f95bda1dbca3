/** The image under construction. */

/**
 * One memory under two faces: numbers go through the view, which V8 compiles to plain stores, byte strings through the
 * Buffer.
 */
export interface ImageBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** All zero. */
export function newImageBuffer(lengthBytes: number): ImageBuffer {
  const bytes = Buffer.alloc(lengthBytes);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
