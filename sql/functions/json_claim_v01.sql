-- The value of one key of a setting that holds a JSON object.
-- locks: none

create function tenancy.json_claim(setting text, document text, key text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    claims jsonb;
begin
    begin
        claims := document::jsonb;
    exception
        when others then
            claims := null;
    end;
    if jsonb_typeof(claims) is distinct from 'object' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('setting %s is not a JSON object', setting);
    end if;
    return nullif(claims ->> key, '');
end
$$;
comment on function tenancy.json_claim is
'The value of one key of a setting that holds a JSON object; null where the key is absent or empty, error 22023 naming the '
'setting where it is not a JSON object.';

call tenancy.revoke_all('routine tenancy.json_claim');
grant execute on function tenancy.json_claim to tenancy_definer;
