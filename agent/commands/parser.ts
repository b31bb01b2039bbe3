/** The parser of the command line, in the speaker's language: its help and its complaints. */

import { Command, Option } from 'commander';
import { LANGUAGES } from '../words/language.ts';
import type { Speaker } from '../words/say.ts';
import { widthOf } from '../words/text.ts';

/** Without commands yet; those that it makes speak as it does. The package's own words are told again. */
export function newParser(name: string, { retell }: Speaker): Command {
  return new Command(name)
    .configureHelp({
      displayWidth: widthOf,
      styleTitle: retell,
      styleOptionDescription: retell,
    })
    .configureOutput({
      outputError: (text, write) => write(text.split('\n').map(retell).join('\n')),
    })
    .helpOption('-h, --help', retell('display help for command'))
    .helpCommand('help [command]', retell('display help for command'))
    .showSuggestionAfterError();
}

/** languageOf() has read it already; the parser refuses what it does not know. */
export function languageOption({ say }: Speaker): Option {
  const description = say('of messages (default: $FMS_LANGUAGE, or that of the system)');
  return new Option('--language <language>', description).choices(LANGUAGES);
}
