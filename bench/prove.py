"""`make prove`: walk the model of tenancy for any number of steps; a difference prints how to repeat it."""

import argparse
import secrets
import sys
import time

import psycopg
from deployer import migrate_and_seed
from servers import forget_durability, fresh_server, make_roles, server_of
from walk import Difference, walking

LENGTH = 500  # steps of a walk, after which the tables are emptied


def main() -> None:
    """Read the arguments and walk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--first-walk", type=int, default=0, help="begin with this walk of the seed")
    arguments = parser.parse_args()
    with fresh_server() as embedded:
        server = server_of(embedded)
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            forget_durability(connection)
            make_roles(connection)
            connection.execute("alter system set autovacuum = off")
            connection.execute("select pg_reload_conf()")
            connection.execute("create database proved")
        migrate_and_seed(server, "proved")
        with walking(server, "proved") as walk:
            started, taken = time.monotonic(), 0
            for number in range(arguments.first_walk, arguments.first_walk + -(-arguments.steps // LENGTH)):
                try:
                    for _ in walk.steps(f"{arguments.seed}-{number}", min(LENGTH, arguments.steps - taken)):
                        taken += 1
                except Difference as difference:
                    again = f"make prove SEED={arguments.seed} WALK={number} STEPS={LENGTH}"
                    sys.exit(f"{difference}\nafter {taken} steps; to repeat: {again}")
                walk.reset()
                if number % 20 == 19 or taken == arguments.steps:
                    rate = taken / (time.monotonic() - started)
                    print(f"{taken:,} steps, {rate:,.0f} a second, seed {arguments.seed}: no difference", flush=True)


if __name__ == "__main__":
    main()
