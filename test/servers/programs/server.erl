%% Erlang's ssl application on each listener of a file: port, version, chain, key, client roots, revocation lists,
%% the signatures that it takes, and the depth of a client's chain.
-module(server).
-export([main/1]).

main(File) ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, Listeners} = file:consult(File),
    [ssl_crl_cache:insert({file, Revoked}) || {_, _, _, _, _, Revoked, _, _} <- Listeners, Revoked =/= ""],
    [listen(Listener) || Listener <- Listeners],
    receive stop -> ok end.

listen({Port, Version, Chain, Key, Roots, Revoked, Signatures, Depth}) ->
    Options = [{ip, {127, 0, 0, 1}}, {reuseaddr, true}, {active, false}, binary,
               {versions, [Version]}, {certfile, Chain}, {keyfile, Key}, {log_level, notice}]
        ++ [Option || Roots =/= "", Option <- [{verify, verify_peer}, {fail_if_no_peer_cert, true},
                                               {cacertfile, Roots}, {depth, Depth}]]
        ++ [Option || Revoked =/= "", Option <- [{crl_check, peer}, {crl_cache, {ssl_crl_cache, {internal, []}}}]]
        ++ [{signature_algs, [rsa_pss_rsae_sha256, {sha256, rsa}]} || Signatures =:= rsa],
    {ok, Socket} = ssl:listen(Port, Options),
    [spawn(fun() -> accept(Socket) end) || _ <- lists:seq(1, 16)].

accept(Listening) ->
    {ok, Accepted} = ssl:transport_accept(Listening),
    case ssl:handshake(Accepted, 20000) of
        {ok, Socket} -> answer(Socket);
        {error, _} -> refused
    end,
    accept(Listening).

answer(Socket) ->
    case request(Socket, <<>>) of
        closed -> ok;
        Request ->
            Status = case Request of <<"GET /misdirected ", _/binary>> -> "421 Misdirected Request"; _ -> "200 OK" end,
            Headers = "\r\nContent-Length: 8\r\nConnection: close\r\n\r\n",
            ssl:send(Socket, ["HTTP/1.1 ", Status, Headers, "granted\n"])
    end,
    ssl:close(Socket).

request(Socket, Read) ->
    case binary:match(Read, <<"\r\n\r\n">>) of
        nomatch ->
            case ssl:recv(Socket, 0, 20000) of
                {ok, More} -> request(Socket, <<Read/binary, More/binary>>);
                {error, _} -> closed
            end;
        _ -> Read
    end.
