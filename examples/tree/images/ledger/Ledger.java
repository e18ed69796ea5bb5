import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** Counts fathoms of rope: {@code /add/N} adds to the sum that it answers. */
final class Ledger {
    private static final AtomicLong SUM = new AtomicLong();

    private Ledger() {}

    public static void main(String[] words) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/add/", Ledger::add);
        server.start();
    }

    private static void add(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            long sum = SUM.addAndGet(Long.parseLong(path.substring("/add/".length())));
            byte[] answer = ("fathoms: " + sum + "\n").getBytes(StandardCharsets.US_ASCII);
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
        }
    }
}
