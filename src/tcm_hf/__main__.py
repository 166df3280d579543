"""`python -m tcm_hf`: the command line without an installed script."""

import sys

from tcm_hf.cli.main import main

sys.exit(main())
