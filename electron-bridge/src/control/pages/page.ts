import type { Methods } from '../../generated/protocol';
import type { Api, ControlMethod } from '../backend/api';
import type { IconName } from '../icons';

export interface Question {
  title: string;
  text?: string;
  /** The button that does it. */
  label: string;
  isDangerous?: boolean;
  /** A field that is to be filled in first, and its label. */
  secret?: string;
  /** The field shows what is typed. */
  isPlain?: boolean;
  /** A command that is to be run first, in a terminal. */
  command?: string;
}

/** An entry of the command palette. */
export interface Command {
  id: string;
  label: string;
  note?: string;
  icon: IconName;
  run(): void;
}

/** The whole, as far as a page may use it. */
export interface Context {
  readonly api: Api;
  /** Whether the caller may act; else pages only show. */
  readonly acts: boolean;
  /** Goes to a page, and to what it looks at. */
  show(page: string, what?: string): void;
  /** Tells a person what came of something. */
  tell(message: string, isGood: boolean): void;
  /** Asks a person; undefined where they don't want it, else what they filled in. */
  ask(question: Question): Promise<string | undefined>;
  /**
   * Asks where there is a question, calls, and tells what came of it; whether it was done. `params` is
   * given what the person filled in.
   */
  act<Name extends ControlMethod>(
    method: Name,
    params: (secret: string) => Omit<Methods[Name]['params'], '_meta'>,
    done: string,
    question?: Question,
  ): Promise<boolean>;
}

/** A page in view: made when a person goes there, closed when they leave. */
export interface Page {
  readonly element: HTMLElement;
  /** Shows what is looked at, such as a topic; all of it where that is empty. */
  show(what: string): void;
  /** Takes the focus to its search, where it has one. */
  search?(): void;
  /** Closes what is open over it; whether something was. */
  escape?(): boolean;
  close(): void;
}

export interface PageEntry {
  name: string;
  title: string;
  icon: IconName;
  make(context: Context): Page;
}
