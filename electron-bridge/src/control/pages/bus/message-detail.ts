import type { MessageParams } from '../../../generated/protocol';
import { h } from '../../dom';
import { duration, fineTime } from '../../format';
import { button } from '../../widgets/button';
import { facts, type Fact } from '../../widgets/facts';
import { jsonOf } from '../../widgets/json-view';
import { text } from '../../../renderer/language';
import type { Context } from '../page';

/** A message as the backend routed it. */
export type Message = MessageParams;

/** A message in full: its sender and its time, its headers, its payload, and the way to its trace. */
export function messageDetail(context: Context, message: Message): HTMLElement {
  const traceId = message._meta?.traceparent?.split('-')[1];
  const trace = traceId === undefined ? `correlation:${message.correlationId}` : `id:${traceId}`;
  const headers = Object.entries(message.headers ?? {});
  return h(
    'div',
    { class: 'message-detail' },
    facts([
      [text('page.control.bus.topic'), message.topic],
      [text('page.control.bus.sender'), `${message.sender.app} · ${message.sender.client}`],
      [text('page.control.bus.sent'), fineTime(message.timestamp)],
      ['id', message.id],
      ['correlationId', message.correlationId],
      ...optionsOf(message),
    ]),
    h(
      'div',
      { class: 'drawer-actions' },
      button(text('page.control.bus.trace'), () => context.show('traces', trace), {
        style: 'small',
        sign: 'traces',
      }),
    ),
    headers.length > 0 && h('h3', { class: 'section' }, text('page.control.bus.headers')),
    headers.length > 0 && facts(headers),
    h('h3', { class: 'section' }, text('page.control.bus.payload')),
    jsonOf(message.payload),
  );
}

/** Members that few messages have, by their names on the wire. */
function optionsOf({ ttl, priority, replyTo, origin, redelivery }: Message): Fact[] {
  const options = [
    ['ttl', ttl === undefined ? undefined : duration(ttl)],
    ['priority', priority],
    ['replyTo', replyTo],
    ['origin', origin],
    ['redelivery', redelivery],
  ] as const;
  return options.flatMap(([name, value]): Fact[] =>
    value === undefined ? [] : [[name, String(value)]],
  );
}
