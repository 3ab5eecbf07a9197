// The page in the place of a window whose process died. Everything in it is set as text.
import type { CrashPage } from '../../generated/protocol';
import type { CrashBridge } from '../../ipc/crash-channels';
import { bytes, duration, wordsOf } from './words';
import { byId, fill, make, setText } from '../panel/element';
import { language, text } from '../language';
import { fullTime, shortTime } from '../panel/time';

declare const crash: CrashBridge;

const TICK_MS = 250;

const restart = byId('restart') as HTMLButtonElement;
let page: CrashPage | undefined;
let isRestarting = false;
/** In milliseconds of `performance.now()`, so that a wall clock that is set moves no countdown. */
let restartsAt: number | undefined;

function draw(drawn: CrashPage): void {
  page = drawn;
  isRestarting = false;
  const at = drawn.restart?.at;
  restartsAt = at === undefined ? undefined : performance.now() + at - Date.now();
  const { name, app } = drawn;
  const words = wordsOf(drawn);
  const [letter] = Array.from(name.trim());
  document.documentElement.dataset['cause'] = drawn.cause;
  setText('avatar', letter?.toUpperCase() ?? '?');
  setText('name', name);
  setText('app', app);
  setText('headline', words.headline);
  setText('explanation', words.explanation);
  drawFacts(drawn);
  drawSample(drawn);
  const lines = drawn.log ?? [];
  byId('log-box').hidden = lines.length === 0;
  const log = byId('log');
  log.textContent = lines.join('\n');
  byId('crash').hidden = false;
  log.scrollTop = log.scrollHeight;
  tick();
  restart.focus();
}

function drawFacts({
  at,
  uptimeMs,
  exitCode,
  signal,
  restart: { attempt } = { state: 'manual' },
}: CrashPage): void {
  const when = new Date(at);
  const facts: [string, string | undefined][] = [
    [text('page.crash.when'), shortTime(when, new Date())],
    [text('page.crash.ran-for'), uptimeMs === undefined ? undefined : duration(uptimeMs)],
    [text('page.crash.signal'), signal],
    [
      text('page.crash.exit-code'),
      signal === undefined && exitCode !== undefined ? String(exitCode) : undefined,
    ],
    [
      text('page.crash.restarts'),
      attempt !== undefined && attempt > 1 ? String(attempt - 1) : undefined,
    ],
  ];
  fill(
    byId('facts'),
    ...facts.flatMap(([label, shown]) => {
      if (shown === undefined) return [];
      const fact = make('div');
      const value = make('dd', '', shown);
      if (label === text('page.crash.when')) value.title = fullTime(when);
      fact.append(make('dt', '', label), value);
      return [fact];
    }),
  );
}

function drawSample({ sample }: CrashPage): void {
  byId('sample').hidden = sample === undefined;
  if (!sample) return;
  const { memoryBytes, memoryLimitBytes, cpuPercent, cpuLimitPercent, processes } = sample;
  meter('memory', memoryLimitBytes === undefined ? undefined : memoryBytes / memoryLimitBytes);
  setText(
    'memory-text',
    text('page.crash.memory-of', {
      used: bytes(memoryBytes),
      limited: memoryLimitBytes === undefined ? 'no' : 'yes',
      limit: memoryLimitBytes === undefined ? '' : bytes(memoryLimitBytes),
      processes,
    }),
  );
  meter('cpu', cpuPercent / (cpuLimitPercent ?? 100));
  const used = language.number(cpuPercent);
  const limit = cpuLimitPercent === undefined ? '' : language.number(cpuLimitPercent);
  const limited = limit === '' ? 'no' : 'yes';
  setText('cpu-text', text('page.crash.cpu-of', { used, limited, limit }));
}

function meter(id: string, share: number | undefined): void {
  const bar = byId(id) as HTMLProgressElement;
  // Without a limit there is no measure to hold it against.
  bar.classList.toggle('unmeasured', share === undefined);
  bar.classList.toggle('full', share !== undefined && share >= 1);
  bar.value = Math.min(1, share ?? 0);
}

function tick(): void {
  if (!page || isRestarting) return;
  const { state } = page.restart ?? { state: 'manual' };
  restart.disabled = false;
  restart.textContent = text(
    page.cause === 'renderer' ? 'page.crash.open-again' : 'page.crash.restart',
  );
  if (state === 'scheduled' && restartsAt !== undefined) {
    restart.textContent = text('page.crash.restart-now');
    const left = Math.ceil((restartsAt - performance.now()) / 1000) * 1000;
    setText(
      'status',
      left > 0
        ? text('page.crash.restarts-in', { time: duration(left) })
        : text('page.crash.restarting'),
    );
  } else if (state === 'loop') {
    setText('status', text('page.crash.loop'));
  } else {
    setText('status', '');
  }
}

restart.addEventListener('click', () => {
  isRestarting = true;
  restart.disabled = true;
  byId('status').className = '';
  setText('status', text('page.crash.restarting'));
  crash.restart();
});
byId('close').addEventListener('click', () => crash.close());

crash.onDraw(draw);
crash.onFailed((message) => {
  isRestarting = false;
  tick();
  byId('status').className = 'failed';
  setText('status', message);
});
setInterval(() => {
  if (page?.restart?.state === 'scheduled') tick();
}, TICK_MS);
crash.ready();
