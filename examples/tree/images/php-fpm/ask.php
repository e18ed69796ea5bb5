<?php
// Asks php-fpm over FastCGI and prints its answer.
function record(int $type, string $content): string
{
    return pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
}

$words = '';
$variables = [
    'SCRIPT_FILENAME' => '/srv/www/index.php', 'REQUEST_METHOD' => 'GET', 'QUERY_STRING' => 'hawser',
];
foreach ($variables as $name => $value) {
    $words .= chr(strlen($name)) . chr(strlen($value)) . $name . $value;
}
$server = @stream_socket_client('tcp://127.0.0.1:9000') ?: exit(1);
fwrite($server, record(1, pack('nCx5', 1, 0)) . record(4, $words) . record(4, '') . record(5, ''));
echo stream_get_contents($server);
