import { expect } from 'chai';
import { CITADEL } from '../../../citadel/cli/program.ts';
import { type Program, readCommandLine } from '../../../shared/cli/command-line.ts';
import { commandHelp, programHelp } from '../../../shared/cli/help-text.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { EXIT } from '../../../shared/process/exit-codes.ts';
import { SIDECAR } from '../../../sidecar/cli/program.ts';

const GATE: Program = {
  name: 'gate',
  summary: 'a program for tests.',
  commands: [
    {
      name: 'open',
      summary: 'Open it.',
      operands: ['DOOR'],
      exits: ['config'],
      flags: [
        { name: 'config', short: 'c', value: 'FILE', help: 'The file.' },
        { name: 'key', value: 'NAME', repeated: true, help: 'A key.' },
        { name: 'wide', help: 'All the way.' },
      ],
      notes: ['A note.'],
    },
    { name: 'close', summary: 'Close it.', flags: [], exits: ['drainCut'] },
  ],
};

describe('a command line', () => {
  const complaint = (...words: string[]): string => {
    try {
      readCommandLine(GATE, words);
    } catch (error) {
      expect(error).to.be.instanceOf(Refusal).and.to.include({ code: 'usage_invalid' });
      return (error as Refusal).detail;
    }
    return 'accepted';
  };

  it('gives the command, its flags in any form and order, and its operands', () => {
    for (const words of [
      ['open', 'north', '--config', 'a', '--wide', '--key', 'x', '--key=y'],
      ['open', '--key', 'x', '-c', 'a', '--key', 'y', '--wide', 'north'],
      ['open', '--key=x', '--key=y', '--config=a', '--wide', '--', 'north'],
    ]) {
      const line = readCommandLine(GATE, words);
      if (line.kind !== 'run') throw new Error(line.kind);
      const { command, flags, operands } = line;
      expect([command.name, operands, flags.text('config'), flags.texts('key'), flags.has('wide')]).to.deep.equal([
        'open',
        ['north'],
        'a',
        ['x', 'y'],
        true,
      ]);
    }
  });

  it('knows what was not given', () => {
    const line = readCommandLine(GATE, ['close']);
    if (line.kind !== 'run') throw new Error(line.kind);
    expect([line.flags.has('help'), line.flags.text('config'), line.flags.texts('key'), line.operands]).to.deep.equal([
      false,
      undefined,
      [],
      [],
    ]);
  });

  it('takes the wish for help or version anywhere', () => {
    for (const words of [[], ['--help'], ['-h'], ['help']])
      expect(readCommandLine(GATE, words)).to.deep.equal({ kind: 'help' });
    for (const words of [
      ['open', '--help'],
      ['help', 'open'],
      ['open', '-h', 'north'],
    ]) {
      expect(readCommandLine(GATE, words)).to.have.nested.property('command.name', 'open');
    }
    for (const words of [['--version'], ['close', '--version']])
      expect(readCommandLine(GATE, words)).to.deep.equal({ kind: 'version' });
  });

  it('complains with a hint about what is not known', () => {
    expect(complaint('opne', 'north')).to.include('did you mean `open`?').and.to.include('commands: open, close');
    expect(complaint('--config', 'x')).to.include('expected a command before `--config`');
    expect(complaint('open', 'north', '--cnfig', 'x')).to.include('unknown flag `--cnfig`, did you mean `--config`?');
    expect(complaint('open', 'north', '--zzzzzzzz')).to.include('flags: --config, --key, --wide, --help, --version');
    expect(complaint('close', '-x')).to.include('unknown flag `-x`');
  });

  it('complains about values and operands that are missing or too many', () => {
    expect(complaint('open')).to.equal('missing DOOR; usage: gate open DOOR');
    expect(complaint('open', 'north', 'south')).to.equal('unexpected `south`; usage: gate open DOOR');
    expect(complaint('open', 'north', '--config')).to.include("'-c, --config <value>' argument missing");
    expect(complaint('open', 'north', '--wide=yes')).to.include("'--wide' does not take an argument");
  });
});

describe('the help text', () => {
  const codesIn = (help: string): string[] =>
    Array.from(help.slice(help.indexOf('Exit codes:')).matchAll(/^ {2}(\d+) {2}\S/gm), (match) => match[1]!);

  it('lists every command and flag', () => {
    const help = programHelp(GATE);
    for (const part of ['gate: a program for tests.', 'open DOOR', 'Open it.', 'close', '--version'])
      expect(help).to.include(part);
  });

  it('lists the exit codes that can come about, and no others', () => {
    expect(codesIn(commandHelp(GATE, GATE.commands[0]!))).to.deep.equal(['0', '1', '2', '3']);
    expect(codesIn(commandHelp(GATE, GATE.commands[1]!))).to.deep.equal(['0', '1', '2', '6']);
    expect(codesIn(programHelp(GATE))).to.deep.equal(['0', '1', '2', '3', '6']);
    expect(programHelp(GATE)).to.include(`  6  ${EXIT.drainCut.meaning}`);
    // No files of an authority and nothing to inspect beside an app.
    expect(codesIn(programHelp(SIDECAR))).to.deep.equal(['0', '1', '2', '3', '5', '6']);
    expect(codesIn(programHelp(CITADEL))).to.deep.equal(Object.values(EXIT).map(({ code }) => String(code)));
  });

  it('tells about one command what it takes', () => {
    const help = commandHelp(GATE, GATE.commands[0]!);
    for (const part of [
      'Usage: gate open DOOR [flags]',
      '-c, --config FILE',
      '    --key NAME',
      'several times',
      'A note.',
    ])
      expect(help).to.include(part);
  });
});
