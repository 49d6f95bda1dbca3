/** The few elements of SVG 1.1 that our pictures need, as text. */

export const FONT = 'font-family="system-ui, sans-serif"';

export function svgDocument(width: number, height: number, title: string, elements: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${FONT}>`,
    `<title>${escapeXml(title)}</title>`,
    // Pictures are seen on dark pages, too.
    rectangle({ x: 0, y: 0, width, height }, "#ffffff"),
    ...elements,
    "</svg>",
    "",
  ].join("\n");
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function rectangle({ x, y, width, height }: Box, fill: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;
}

export function circle(x: number, y: number, radius: number, fill: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" fill="${fill}"/>`;
}

export interface LineStyle {
  readonly stroke: string;
  readonly width?: number;
  readonly dash?: string;
}

export function polyline(points: readonly (readonly [number, number])[], style: LineStyle): string {
  const places = points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
  const dash = style.dash === undefined ? "" : ` stroke-dasharray="${style.dash}"`;
  return `<polyline points="${places}" fill="none" stroke="${style.stroke}" stroke-width="${style.width ?? 1}"${dash}/>`;
}

export interface TextStyle {
  readonly anchor?: "start" | "middle" | "end";
  readonly size?: number;
  readonly fill?: string;
  readonly bold?: boolean;
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const weight = style.bold === true ? ' font-weight="600"' : "";
  return `<text x="${round(x)}" y="${round(y)}" font-size="${style.size ?? 12}" text-anchor="${style.anchor ?? "start"}" fill="${style.fill ?? "#333333"}"${weight}>${escapeXml(content)}</text>`;
}

/** A tenth of a pixel is enough, and keeps the files small. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
