"""`python -m safemodel` is the command line."""

from safemodel.cli import main

raise SystemExit(main())
