"""Side-by-side measurements: what `tools/benchmark.py` runs.

A sub-command is one file in `subcommands/`, called like the sub-command; nothing else lists it. It holds

    HELP = 'one line for --help'
    EXAMPLE = 'python tools/benchmark.py splat --repeats 9'

    def add_arguments(parser): ...                  # its own options; common ones are there already
    def run(arguments) -> List[Row]: ...            # measures

and, if the README shall show it (block `benchmark-<name>` between the usual two comments),

    def markdown(rows) -> str: ...                  # default: one table of all rows
    def charts(rows) -> Dict[str, str]: ...         # SVG by file name, written to docs/

Common options (arguments.py) arrive as `arguments.device` (torch.device), `.repeats`, `.warm_up`, `.threads`
and `.quiet`. The usual body of `run` builds one Entrant a contestant and shape, and hands all that shall be
compared to one contest:

    entrants = [Entrant(name='ours', call=lambda: ours(x), shape='32400 x 128', macs=macs, includes='...'),
                Entrant(name='reference', call=lambda: reference(x), shape='32400 x 128')]
    return run_contest(entrants, arguments)

The contest alternates the entrants, waits for the device, measures the peak of the memory that a call
allocates in a run of its own, and returns rows. `rows.ratio(rows, 'ours', 'reference')` compares two of
them. Modules in `subcommands/` must import fast (--help reads them all): import the model's modules, mmcv
and the like inside functions.
"""
