// What a chart can be taken away as: texts to copy, images to keep, a link to this very view.
// Invariant: nothing leaves the page but into the clipboard or a file that the user asked for.
import { useMemo, useRef, useState } from 'react';
import type { MachineDocument } from '../../src/inspect/index.ts';
import type { Size } from '../machine/text-size.ts';
import { CopyButton } from './copy-button.tsx';
import { download, pngOf, svgOf } from './chart-image.ts';
import { formats, machineOf, type Format } from './formats.ts';
import './export.css';

export interface ExportButtonProps {
  readonly document: MachineDocument;
  readonly picture: Size | undefined;
}

export function ExportButton({ document: machine, picture }: ExportButtonProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, setState] = useState<'closed' | 'open'>('closed');
  const open = (): void => {
    setState('open');
    dialog.current?.showModal();
  };
  return (
    <>
      <button type="button" onClick={open}>
        Export
      </button>
      <dialog
        ref={dialog}
        className="export"
        aria-label={`Export ${machine.id}`}
        onClose={() => setState('closed')}
      >
        {state === 'open' && <ExportForm machine={machine} picture={picture} />}
      </dialog>
    </>
  );
}

function ExportForm({
  machine,
  picture,
}: {
  readonly machine: MachineDocument;
  readonly picture: Size | undefined;
}) {
  const [format, setFormat] = useState<Format | undefined>(formats[0]);
  const [fault, setFault] = useState('');
  const text = useMemo(() => written(format, machine), [format, machine]);
  const svg = (): string | undefined => {
    const drawing = document.querySelector<SVGGElement>('.drawing');
    return drawing === null || picture === undefined ? undefined : svgOf(drawing, picture);
  };
  const saveImage = (kind: 'svg' | 'png'): void => {
    const image = svg();
    if (image === undefined || picture === undefined) return setFault('There is no chart to draw.');
    setFault('');
    if (kind === 'svg') return download(`${machine.id}.svg`, new Blob([image], { type: 'image/svg+xml' }));
    pngOf(image, picture).then(
      (blob) => download(`${machine.id}.png`, blob),
      (error: unknown) => setFault(`No image could be made: ${String(error)}`),
    );
  };
  return (
    <form method="dialog" className="export-form">
      <header className="export-head">
        <h2>Export {machine.id}</h2>
        <button aria-label="Close">Close</button>
      </header>
      <div className="export-row">
        <span className="export-what">Chart</span>
        <button type="button" onClick={() => saveImage('svg')}>
          SVG
        </button>
        <button type="button" onClick={() => saveImage('png')}>
          PNG
        </button>
        <span className="export-what">View</span>
        <CopyButton
          label="Copy link"
          text={() => location.href}
          title="The address of this view, as it is now"
        />
      </div>
      <div className="export-row">
        <span className="export-what">Code</span>
        {formats.map((it) => (
          <button
            key={it.name}
            type="button"

            aria-pressed={it === format}
            onClick={() => setFormat(it)}
          >
            {it.name}
          </button>
        ))}
      </div>
      <p className="soft">{format?.hint}</p>
      <textarea className="export-text" readOnly value={text} aria-label={`${format?.name} text`} />
      <div className="export-row">
        <CopyButton label={`Copy ${format?.name}`} text={() => text} />
        <button
          type="button"

          onClick={() =>
            download(`${machine.id}.${format?.ending}`, new Blob([text], { type: 'text/plain' }))
          }
        >
          Save file
        </button>
      </div>
      {fault !== '' && <p role="alert">{fault}</p>}
    </form>
  );
}

function written(format: Format | undefined, document: MachineDocument): string {
  if (format === undefined) return '';
  try {
    const { machine, options } = machineOf(document);
    return format.write(machine, options);
  } catch (error) {
    return `This machine cannot be written as ${format.name}: ${String(error)}`;
  }
}
