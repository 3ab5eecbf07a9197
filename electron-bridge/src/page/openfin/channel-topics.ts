import { failure } from '../failure';

const ROOT = 'channel';
const PLAIN = /^[A-Za-z0-9_-]$/;
const MAX_NAME = 200;

/** The topics on which a channel's provider and its clients listen. */
export class ChannelTopics {
  readonly provider: string;
  private readonly level: string;

  /** Throws a failure (invalid_params). */
  constructor(readonly name: string) {
    this.level = encode(name);
    this.provider = `${ROOT}.${this.level}.provider`;
  }

  client(id: string): string {
    return `${ROOT}.${this.level}.client.${id}`;
  }

  /** The id of the client that listens on this topic; undefined where it is none of these. */
  clientOf(topic: string): string | undefined {
    const head = this.client('');
    return topic.startsWith(head) ? topic.slice(head.length) : undefined;
  }
}

/** The name of the channel whose provider listens on this topic. */
export function channelProvidedOn(topic: string): string | undefined {
  const [root, level, role, ...more] = topic.split('.');
  if (root !== ROOT || level === undefined || role !== 'provider' || more.length > 0) {
    return undefined;
  }
  return decode(level);
}

/** Whether a topic is a channel's own, and nothing that an app subscribed to by itself. */
export function isChannelTopic(topic: string): boolean {
  return /^channel\.[^.]+\.(provider|client\.[^.]+)$/.test(topic);
}

/** Any name as one level of a topic: each byte but letters, digits, _ and - as %XX. */
function encode(name: unknown): string {
  if (typeof name !== 'string' || name === '') {
    throw failure('invalid_params', 'The name of a channel is a string that is not empty.');
  }
  const level = Array.from(new TextEncoder().encode(name), (byte) => {
    const character = String.fromCharCode(byte);
    if (PLAIN.test(character)) return character;
    return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
  if (level.length > MAX_NAME) {
    throw failure('invalid_params', `The name of a channel has ${MAX_NAME} bytes at most.`);
  }
  return level;
}

function decode(level: string): string | undefined {
  try {
    return decodeURIComponent(level);
  } catch {
    return undefined;
  }
}
