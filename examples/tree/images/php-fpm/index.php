<?php
echo json_encode(['length' => mb_strlen($_SERVER['QUERY_STRING']), 'version' => PHP_MAJOR_VERSION]), "\n";
