"""Side-by-side measurements: what `gemini3d benchmark` runs.

What is measured is one file in `subcommands/`, with its options and line of help in `command.py`. It holds

    def run(arguments) -> List[Row]: ...            # measures

and, if a page shall show it (block `benchmark-<name>` between the usual two comments),

    def markdown(rows) -> str: ...                  # default: one table of all rows
    def charts(rows) -> Dict[str, str]: ...         # SVG by file name, written beside the page

Common options arrive as `arguments.device` (torch.device), `.repeats`, `.warm_up`, `.threads` and `.quiet`.
The usual body of `run` builds one Entrant per contestant and shape, and hands all that shall be compared to
one contest:

    entrants = [Entrant(name='ours', call=lambda: ours(x), shape='32400 x 128', macs=macs, includes='...'),
                Entrant(name='reference', call=lambda: reference(x), shape='32400 x 128')]
    return run_contest(entrants, arguments)

The contest alternates the entrants, waits for the device, measures the peak of the memory that a call
allocates in a run of its own, and returns rows. `rows.ratio(rows, 'ours', 'reference')` compares two of
them.
"""
