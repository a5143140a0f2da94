import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** What drivers are told and say: test/e2e/clients/README.md. */
final class Lines {
    /** What a driver can be told to do. publish must not wait for the acknowledgement. */
    interface Client {
        void subscribe(String filter, int qos) throws Exception;

        void unsubscribe(String filter) throws Exception;

        void publish(String topic, int qos, boolean retain, byte[] payload) throws Exception;
    }

    private Lines() {}

    static Map<String, String> settings(String[] arguments) {
        Map<String, String> settings = new HashMap<>();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        return settings;
    }

    static synchronized void say(Object... fields) {
        System.out.println(Arrays.stream(fields).map(String::valueOf).collect(Collectors.joining("\t")));
        System.out.flush();
    }

    static void message(String topic, int qos, boolean retain, byte[] payload) {
        say("message", topic, qos, retain ? 1 : 0, new String(payload));
    }

    static void obey(Client client) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            String[] fields = line.split("\t", -1);
            switch (fields[0]) {
                case "subscribe" -> client.subscribe(fields[1], Integer.parseInt(fields[2]));
                case "unsubscribe" -> client.unsubscribe(fields[1]);
                case "publish" -> client.publish(fields[1], Integer.parseInt(fields[2]), fields[3].equals("1"), fields[4].getBytes());
                default -> throw new IOException("unknown: " + fields[0]);
            }
        }
    }
}
