"""Kill the executor with SIGKILL in the middle of its work, and let the PSP's own ledger judge.

`zygote` is a process that has imported everything and opened nothing; each worker is a fork of it,
so that a fresh process costs milliseconds. `work` is what a worker does and where it dies,
`campaign` the driver of `tinko chaos`, `verdict` the judge.
"""
