// A recording can be dropped anywhere on the page.
// Invariant: what is no file is left to the browser.
import { useEffect, useState } from 'react';

export function DropZone({ onFile }: { onFile(file: File): void }) {
  const [over, setOver] = useState<'over' | 'away'>('away');
  useEffect(() => {
    const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver('over');
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver('away');
    };
    const drop = (event: DragEvent): void => {
      setOver('away');
      const file = event.dataTransfer?.files[0];
      if (file === undefined) return;
      event.preventDefault();
      onFile(file);
    };
    addEventListener('dragover', enter);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [onFile]);
  return over === 'over' ? <div className="drop-zone">Drop a recording to open it</div> : null;
}
