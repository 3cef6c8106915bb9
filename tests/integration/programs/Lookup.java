import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import javax.naming.Context;
import javax.naming.NamingException;
import javax.naming.directory.InitialDirContext;

/** Java: "A name" or "SRV name" on stdin, "ok address-or-target..." or "failed why" on stdout. */
public class Lookup {
    static List<String> addresses(String name) throws IOException {
        List<String> found = new ArrayList<>();
        for (InetAddress address : InetAddress.getAllByName(name)) found.add(address.getHostAddress());
        return found;
    }

    static List<String> targets(String name) throws NamingException {
        Hashtable<String, String> environment = new Hashtable<>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.dns.DnsContextFactory");
        InitialDirContext context = new InitialDirContext(environment);
        try {
            List<String> found = new ArrayList<>();
            var values = context.getAttributes("dns:///" + name, new String[] {"SRV"}).get("SRV").getAll();
            while (values.hasMore()) {
                String[] fields = values.next().toString().split(" ");  // priority weight port target
                found.add(fields[3] + ":" + fields[2]);
            }
            return found;
        } finally {
            context.close();
        }
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] words = line.split(" ");
            try {
                List<String> found = words[0].equals("SRV") ? targets(words[1]) : addresses(words[1]);
                System.out.println("ok " + String.join(" ", found));
            } catch (IOException | NamingException failure) {
                System.out.println("failed " + failure);
            }
        }
    }
}
