// A chart as an image of its own: an SVG that needs no style sheet, or a PNG of it.
// Invariant: the file names nothing outside of itself, and shows the chart as the page showed it.
import type { Size } from '../machine/text-size.ts';

/** What gives shapes and texts their look. */
const PROPERTIES = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linejoin',
  'paint-order',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
] as const;
const SHAPES = new Set(['rect', 'circle', 'path', 'text', 'tspan']);
const NAMESPACE = 'http://www.w3.org/2000/svg';
const MARGIN = 8;
/** Browsers refuse larger canvases. */
const LARGEST_PX = 8_192;

/** The text of an SVG file. `drawing`: the chart's group on the page. */
export function svgOf(drawing: SVGGElement, { width, height }: Size): string {
  const svg = document.createElementNS(NAMESPACE, 'svg');
  const [w, h] = [Math.ceil(width + 2 * MARGIN), Math.ceil(height + 2 * MARGIN)];
  svg.setAttribute('xmlns', NAMESPACE);
  svg.setAttribute('viewBox', `${-MARGIN} ${-MARGIN} ${w} ${h}`);
  svg.setAttribute('width', String(w));
  svg.setAttribute('height', String(h));
  const ground = document.createElementNS(NAMESPACE, 'rect');
  const around = drawing.closest('.chart-canvas');
  const attributes = { x: -MARGIN, y: -MARGIN, width: w, height: h };
  for (const [name, value] of Object.entries(attributes)) ground.setAttribute(name, String(value));
  ground.setAttribute('fill', around === null ? 'white' : plain(getComputedStyle(around).backgroundColor));
  const copy = drawing.cloneNode(true) as SVGGElement;
  dress(drawing, copy);
  svg.append(ground, copy);
  return new XMLSerializer().serializeToString(svg);
}

/** Writes the looks that the page's style sheets give into the copy, and takes off what only they and React read. */
function dress(shown: Element, copy: Element): void {
  if (SHAPES.has(shown.localName)) {
    const style = getComputedStyle(shown);
    for (const name of PROPERTIES) {
      const value = style.getPropertyValue(name);
      if (value !== '' && value !== 'none 0px') copy.setAttribute(name, plain(value));
    }
  }
  for (const { name } of [...copy.attributes])
    if (name === 'class' || name === 'style' || name.startsWith('data-')) copy.removeAttribute(name);
  [...shown.children].forEach((child, i) => {
    const twin = copy.children[i];
    if (twin !== undefined) dress(child, twin);
  });
}

/** Other programs know colours as `rgb(…)` or `#…` only, not the newer ways to say them. */
function plain(value: string): string {
  if (!/^(color|oklab|oklch|lab|lch|color-mix)\(/.test(value)) return value;
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (context === null) return value;
  context.fillStyle = value;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

/** A PNG of an SVG, at twice its size where that is not too large. @throws Error when the browser cannot draw it */
export async function pngOf(svg: string, size: Size): Promise<Blob> {
  const scale = Math.min(2, LARGEST_PX / Math.max(size.width, size.height));
  const image = new Image();
  const address = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    image.src = address;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Math.ceil((size.width + 2 * MARGIN) * scale);
    canvas.height = Math.ceil((size.height + 2 * MARGIN) * scale);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (blob === null) throw new Error('the browser gave no image; choose SVG');
    return blob;
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Hands a file to the browser's downloads. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Revoked at once, some browsers would not have begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
