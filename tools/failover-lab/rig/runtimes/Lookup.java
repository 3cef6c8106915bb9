import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Java as it comes: "ID NAME" on stdin, "ID ok ADDRESS..." or "ID failed WHY" on stdout. */
public class Lookup {
    static void answer(String line) {
        String[] words = line.split(" ");
        StringBuilder reply = new StringBuilder(words[0]);
        try {
            InetAddress[] found = InetAddress.getAllByName(words[1]);
            reply.append(" ok");
            for (InetAddress address : found) {
                if (address instanceof Inet4Address) reply.append(' ').append(address.getHostAddress());
            }
        } catch (UnknownHostException failure) {
            // It does not tell a name that is not there from a server that is not.
            reply.append(" failed unknown host");
        }
        System.out.println(reply);
    }

    public static void main(String[] arguments) throws IOException {
        ExecutorService threads = Executors.newFixedThreadPool(32);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String question = line;
            threads.execute(() -> answer(question));
        }
        threads.shutdown();
    }
}
