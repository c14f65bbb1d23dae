# Prints each routine into which a caller's temporary types could reach: plpgsql must search pg_temp last, SQL be a bound body.
/^create (or replace )?(function|procedure) / { routine = $0; plpgsql = path = 0 }
/^language plpgsql/ { plpgsql = 1 }
/^set search_path = pg_catalog, pg_temp$/ { path = 1 }
routine && /^as / {
    if (!plpgsql) print FILENAME ":" FNR ": " routine " … wants a bound body: return or begin atomic"
    else if (!path) print FILENAME ":" FNR ": " routine " … wants: set search_path = pg_catalog, pg_temp"
    routine = ""
}
