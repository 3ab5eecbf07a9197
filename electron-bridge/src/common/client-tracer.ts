import type { ClientSpan, TracingTerms } from '../generated/protocol';
import { matches } from './bus/topics';
import { sayable } from './json';

/** Spans in one call of `traces.record`; more are told in the next. */
const BATCH = 64;
/** Spans that wait for a backend that does not take them; beyond, they are left out. */
const MAX_WAITING_STEPS = 1000;
/** Of the name of a step, as the backend takes it. */
const MAX_NAME_CHARACTERS = 256;
const TELL_AFTER_MS = 200;
const NO_MEMBERS = /^\s*\{\s*$/;
const SAMPLED = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f][13579bdf]$/;

/** A step in progress of a trace that is sampled. */
export interface OpenSpan {
  /** W3C Trace Context, for what it leads to. */
  readonly traceparent: string;
  end(error?: string): void;
}

type Kind = NonNullable<ClientSpan['kind']>;

export interface TracerHooks {
  /** Unix milliseconds, with fractions, of a clock that never steps. */
  now(): number;
  tell(spans: ClientSpan[]): void;
}

/**
 * Begins traces as the backend's terms say, goes on with those that messages carry, and tells the
 * backend the steps that were taken here.
 */
export class ClientTracer {
  /** The step that what is said now belongs to. */
  current: OpenSpan | undefined;
  private waiting: ClientSpan[] = [];
  /** How many go by before the next that is sampled. */
  private pass: number;
  private secondEnds = 0;
  private begun = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly terms: TracingTerms,
    private readonly hooks: TracerHooks,
  ) {
    this.pass = draw(terms.ratio);
  }

  /** A step that begins here, or within the one that is under way; undefined if not sampled. */
  begin(name: string, kind: Kind, topic?: string): OpenSpan | undefined {
    const within = this.current?.traceparent;
    if (within !== undefined) return this.goOn(within, name, kind, topic);
    if (!this.samples(topic)) return undefined;
    return this.open(hex(32), undefined, name, kind, topic);
  }

  /** A step behind one that was taken elsewhere; undefined where that is not sampled. */
  goOn(traceparent: string, name: string, kind: Kind, topic?: string): OpenSpan | undefined {
    const [, traceId, parentId] = SAMPLED.exec(traceparent) ?? [];
    if (traceId === undefined) return undefined;
    return this.open(traceId, parentId, name, kind, topic);
  }

  /** Runs `work`; what it says before it returns belongs to the step. */
  within<T>(span: OpenSpan | undefined, work: () => T): T {
    const before = this.current;
    this.current = span;
    try {
      return work();
    } finally {
      this.current = before;
    }
  }

  /**
   * Runs `work`, which another has asked for: what it says before it returns goes on with that one's
   * step, and is no step where there is none.
   */
  onBehalf<T>(traceparent: string, work: () => T): T {
    return this.within({ traceparent, end: () => undefined }, work);
  }

  /** Tells what waits. */
  flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = undefined;
    while (this.waiting.length > 0) this.hooks.tell(this.waiting.splice(0, BATCH));
  }

  /**
   * Whether what is said now is to be a step: `begin` may say no all the same. Costs a subtraction
   * for what is not.
   */
  due(topic: string): boolean {
    if (this.current) return true;
    if (this.terms.topics.length > 0 && this.wants(topic)) return true;
    this.pass -= 1;
    return this.pass < 0;
  }

  private samples(topic: string | undefined): boolean {
    const wanted = topic !== undefined && this.wants(topic);
    if (!wanted && this.pass >= 0) {
      this.pass -= 1;
      if (this.pass >= 0) return false;
    }
    if (this.pass < 0) this.pass = draw(this.terms.ratio);
    else if (!wanted) return false;
    const now = this.hooks.now();
    if (now >= this.secondEnds) {
      this.secondEnds = now + 1000;
      this.begun = 0;
    }
    this.begun += 1;
    return this.begun <= this.terms.maxPerS;
  }

  private wants(topic: string): boolean {
    return this.terms.topics.some((pattern) => matches(pattern, topic));
  }

  private open(
    traceId: string,
    parentId: string | undefined,
    name: string,
    kind: Kind,
    topic: string | undefined,
  ): OpenSpan {
    const spanId = hex(16);
    const start = this.nowMicros();
    let ended = false;
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end: (error) => {
        if (ended) return;
        ended = true;
        this.add({
          traceId,
          spanId,
          ...(parentId === undefined ? {} : { parentId }),
          name: sayable(name, MAX_NAME_CHARACTERS),
          kind,
          start,
          end: Math.max(start, this.nowMicros()),
          ...(topic === undefined ? {} : { topic }),
          ...(error === undefined ? {} : { error }),
        });
      },
    };
  }

  private nowMicros(): number {
    return Math.round(this.hooks.now() * 1000);
  }

  private add(span: ClientSpan): void {
    if (this.waiting.length >= MAX_WAITING_STEPS) return;
    this.waiting.push(span);
    if (this.waiting.length >= BATCH) this.flush();
    else if (!this.timer) {
      this.timer = setTimeout(() => this.flush(), TELL_AFTER_MS);
      // No process stays for it.
      (this.timer as Partial<NodeJS.Timeout>).unref?.();
    }
  }
}

/** Parameters, a JSON object without `_meta`, with the context of a step; untouched without one. */
export function withTrace(text: string, span: OpenSpan | undefined): string {
  if (!span) return text;
  const members = text.slice(0, text.lastIndexOf('}'));
  const comma = NO_MEMBERS.test(members) ? '' : ',';
  return `${members}${comma}${traceMember(span)}}`;
}

/** The member that carries the context. */
export function traceMember(span: OpenSpan): string {
  return `"_meta":{"traceparent":"${span.traceparent}"}`;
}

/** How many go by, of which each is sampled by chance; a number with the geometric distribution. */
function draw(ratio: number): number {
  if (ratio <= 0) return Infinity;
  if (ratio >= 1) return 0;
  return Math.floor(Math.log(1 - Math.random()) / Math.log(1 - ratio));
}

/** Random digits, not all zero. No secret depends on them. */
function hex(digits: number): string {
  let text = '';
  while (text.length < digits) text += Math.floor(Math.random() * 16).toString(16);
  return /^0+$/.test(text) ? `1${text.slice(1)}` : text;
}
