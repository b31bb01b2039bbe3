/** The readings of the time that is shown, as a file. It may take long: it says how far it is, and can be cancelled. */

import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import type { DeviceItem } from '../../api/types.ts';
import { failureText } from '../../app/failure_text.ts';
import { usePreferences } from '../../app/preferences.tsx';
import type { Span } from '../../chart/zoom.ts';
import { formatBytes, formatDuration } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { FormError } from '../../ui/states.tsx';
import { Time } from '../../ui/time.tsx';
import type { Progress } from './export_file.ts';
import { exportFile } from './export_file.ts';
import { DEVICE_WORDS } from './words.ts';

export function ExportDialog(props: {
  device: DeviceItem;
  span: Span;
  onClose: () => void;
}): ReactNode {
  const { device, onClose } = props;
  // What is live moves on; the file is of the time at which it was asked for.
  const [span] = useState(props.span);
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const [format, setFormat] = useState<'csv' | 'parquet'>('csv');
  const [form, setForm] = useState<'long' | 'wide'>('long');
  const [progress, setProgress] = useState<Progress>();
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  const start = async (): Promise<void> => {
    const controller = new AbortController();
    abort.current = controller;
    setProblem('');
    setSaid('');
    const { site, device: name } = device;
    const asked = { site, device: name, from: span.fromMs, to: span.toMs, format, form };
    try {
      const bytes = await exportFile(asked, controller.signal, setProgress);
      setSaid(say('export_done', { bytes: formatBytes(bytes, language) }));
    } catch (error) {
      if (controller.signal.aborted) setSaid(say('export_cancelled'));
      else setProblem(failureText(error, say));
    }
    setProgress(undefined);
  };
  const isBusy = progress !== undefined;
  return (
    <Dialog title={say('export_title')} onClose={onClose}>
      <div className="form">
        <p>
          <Time ms={span.fromMs} site={device.site} /> – <Time ms={span.toMs} site={device.site} />
        </p>
        <Choice
          label={say('export_format')}
          options={[
            { value: 'csv', text: 'CSV' },
            { value: 'parquet', text: 'Parquet' },
          ]}
          value={format}
          onChange={setFormat}
        />
        <Choice
          label={say('export_form')}
          options={[
            { value: 'long', text: say('form_long') },
            { value: 'wide', text: say('form_wide') },
          ]}
          value={form}
          onChange={setForm}
        />
        {isBusy ? <ProgressLine progress={progress} /> : null}
        <p role="status">{said}</p>
        <FormError text={problem} />
        <div className="actions">
          <button
            type="button"
            className="act main"
            data-action="export-start"
            disabled={isBusy}
            onClick={() => void start()}
          >
            {say('export_start')}
          </button>
          {isBusy ? (
            <button
              type="button"
              className="act"
              data-action="export-cancel"
              onClick={() => abort.current?.abort()}
            >
              {say('cancel')}
            </button>
          ) : (
            <button type="button" className="act" onClick={onClose}>
              {say('close')}
            </button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

function ProgressLine({ progress }: { progress: Progress }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { bytes, total } = progress;
  const [elapsedMs, setElapsedMs] = useState(0);
  useEffect(() => {
    const began = performance.now();
    const timer = setInterval(() => setElapsedMs(performance.now() - began), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (bytes === undefined) {
    const text = say('export_making', { age: formatDuration(elapsedMs, say) });
    return (
      <p>
        <progress aria-label={text} /> {text}
      </p>
    );
  }
  const text = say('export_loading', {
    bytes: formatBytes(bytes, language),
    total: total === undefined ? '?' : formatBytes(total, language),
  });
  return (
    <p>
      <progress aria-label={text} value={bytes} max={total ?? bytes} /> {text}
    </p>
  );
}
