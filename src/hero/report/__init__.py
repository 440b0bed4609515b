"""Reports: one self-contained page, and exports to other tools' formats."""
